"""A plugin for pytest that writes the result of each test to a JSON file: pytest -p suite_report --suite-report=FILE."""

import json
import pathlib


def pytest_addoption(parser):
    parser.addoption("--suite-report", required=True)


def pytest_configure(config):
    config.pluginmanager.register(Report(config.getoption("--suite-report")))


class Report:
    def __init__(self, path):
        self.path = path
        # By MODULE.CLASS.TEST: outcome and text. A test whose set-up or clean-up fails has not passed.
        self.tests = {}

    def pytest_runtest_logreport(self, report):
        file, _, test = report.location
        name = f"{pathlib.Path(file).stem}.{test}"
        if report.outcome != "passed":
            self.tests[name] = {"outcome": report.outcome, "text": report.longreprtext}
        elif report.when == "call":
            self.tests.setdefault(name, {"outcome": "passed", "text": ""})

    def pytest_collectreport(self, report):
        if report.outcome == "failed":
            self.tests[report.nodeid] = {"outcome": "failed", "text": report.longreprtext}

    def pytest_sessionfinish(self):
        with open(self.path, "w") as file:
            json.dump(self.tests, file)

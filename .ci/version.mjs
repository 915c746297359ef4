// The one version of the service and its clients, in all the files that name it:
//   node .ci/version.mjs              prints it; fails when the files disagree
//   node .ci/version.mjs 1.2.3        sets it everywhere
import { readFileSync, writeFileSync } from 'node:fs';

const ROOT = new URL('..', import.meta.url);
const NUMBER = String.raw`\d+\.\d+\.\d+(?:-[\w.]+)?`;

/** The places of the version: a file, and what surrounds each version in it. */
const PLACES = [
  ['package.json', /^( {2}"version": ")V(")/gm],
  ['package-lock.json', /^( {2}"name": "passthru",\n {2}"version": ")V(")/gm],
  ['package-lock.json', /^( {6}"name": "passthru",\n {6}"version": ")V(")/gm],
  ['clients/python/pyproject.toml', /^(version = ")V(")/gm],
  ['clients/java/pom.xml', /(<artifactId>passthru-client<\/artifactId>\n\s*<version>)V(<)/g],
  ['clients/java/README.md', /(<artifactId>passthru-client<\/artifactId>\n\s*<version>)V(<)/g],
  ['clients/java/README.md', /(passthru-client-)V(\.jar)/g],
  ['clients/java/example/Example.java', /(passthru-client-)V(\.jar)/g],
  ['clients/rust/Cargo.toml', /^(name = "passthru-client"\nversion = ")V(")/gm],
  ['clients/rust/Cargo.lock', /^(name = "passthru-client"\nversion = ")V(")/gm],
  ['clients/rust/README.md', /(passthru-client-)V(")/g],
  ['clients/typescript/package.json', /^( {2}"version": ")V(")/gm],
  ['clients/typescript/README.md', /(passthru-client-)V(\.tgz)/g],
  ['clients/go/README.md', /(passthru\.example\/clients\/go@v)V(\n)/g],
].map(([file, pattern]) => [file, new RegExp(pattern.source.replace('V', `(${NUMBER})`), pattern.flags)]);

const [wanted] = process.argv.slice(2);
if (wanted !== undefined && !new RegExp(`^${NUMBER}$`).test(wanted)) {
  console.error(`not a version: ${wanted}; write it as 1.2.3 or 1.2.3-rc.1`);
  process.exit(2);
}

const found = [];
for (const [file, pattern] of PLACES) {
  const path = new URL(file, ROOT);
  const text = readFileSync(path, 'utf8');
  const versions = [...text.matchAll(pattern)].map((match) => match[2]);
  if (versions.length === 0) found.push([file, 'no version']);
  found.push(...versions.map((version) => [file, version]));
  if (wanted !== undefined) writeFileSync(path, text.replace(pattern, `$1${wanted}$3`));
}
if (wanted !== undefined) {
  console.log(`version ${wanted} in ${new Set(PLACES.map(([file]) => file)).size} files`);
} else if (found.every(([, version]) => version === found[0][1])) {
  console.log(found[0][1]);
} else {
  console.error(found.map(([file, version]) => `${file}: ${version}`).join('\n'));
  process.exit(1);
}

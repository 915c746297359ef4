/** The buckets of what takes between a call of the fake driver and a BMC that takes its whole time. Seconds. */
export const DURATIONS = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

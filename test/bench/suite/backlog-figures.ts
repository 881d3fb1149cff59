/** What README.md tells of backlogs, and of several origins, as Markdown. Pure. */
import { number, short } from "../report.ts";
import type { CatchUp } from "./catch-up.ts";
import type { Consumers } from "./consumers.ts";
import { both, table } from "./tables.ts";

export function catchUpFigures({
  records,
  keys,
  watched,
  payload,
  cold,
  warmSeconds,
  consumer,
  share,
}: CatchUp): string {
  return [
    "### A backlog",
    "`npm run bench:all -- --only catchUp`",
    `${number(records)} records of ${number(payload)} bytes, ${number(keys)} keys, ${number(watched)} of them watched. Seconds are from the start of the process.`,
    table(
      ["", "seconds", "records/s", "µs of CPU per record"],
      [
        [
          "Distributary's origin, no index",
          short(cold.seconds),
          number(cold.recordsPerSecond),
          short(cold.cpuPerRecord),
        ],
        ["the same, index there", short(warmSeconds), "", ""],
        [
          "kafkajs's consumer alone",
          short(consumer.seconds),
          number(consumer.recordsPerSecond),
          short(consumer.cpuPerRecord),
        ],
      ],
    ),
    `The origin, which indexes all of it, reads at ${number(100 * share)}% of the consumer's rate.`,
    "![Reading a backlog](results/catch-up.svg)",
  ].join("\n\n");
}

export function consumersFigures({ partitions, backlog, starts, live }: Consumers): string {
  const { records, payload, keys, watched } = backlog;
  const named = (origins: number) => (origins === 1 ? "1 origin" : `${origins} origins`);
  const firsts = live.map(({ origins, steps }) => {
    const [begun] = steps;
    const tries = steps.filter(({ settings }) => settings.rate === begun?.settings.rate);
    return [named(origins), tries.at(-1)] as const;
  });
  const first = firsts.find(([, step]) => step !== undefined)?.[1];
  return [
    "### Several origins",
    "`npm run bench:all -- --only consumers`",
    `A topic of ${partitions} partitions, read by one origin, or by several with a slice of them each (\`ORIGIN_SLICE\`), which all run on this machine's cores, as Kafka, edge, publisher and clients do: what follows tells what dividing the work costs, not what more machines would gain.`,
    `A backlog of ${number(records)} records of ${number(payload)} bytes, ${number(keys)} keys, ${number(watched)} of them watched; seconds from the start of the processes, CPU of all of them.`,
    table(
      ["", "no index: seconds", "records/s", "µs of CPU per record", "index there: seconds"],
      starts.map(({ origins, cold, warmSeconds }) => [
        named(origins),
        short(cold.seconds),
        number(cold.recordsPerSecond),
        short(cold.cpuPerRecord),
        short(warmSeconds),
      ]),
    ),
    ...(first === undefined
      ? []
      : [
          `Live, ${number(first.settings.endpoints)} endpoints, ${number(first.watched)} of them watched by ${number(first.settings.clients)} clients. The rate is raised as for the limit above, the bound of CPU being for each origin. First ${number(first.updatesPerSecond)} updates/s, then each at its limit:`,
          both([
            ...firsts,
            ...live.map(({ origins, good }) => [`${named(origins)}, at the limit`, good] as const),
          ]),
          live
            .map(
              ({ origins, good, why }) =>
                `${named(origins)}: ${good === undefined ? `no step kept within the bounds: ${why}` : `${number(good.updatesPerSecond)} updates/s; past that, ${why}`}.`,
            )
            .join(" "),
        ]),
    "![Several origins read a backlog](results/consumers.svg) ![Several origins, live](results/origins.svg)",
  ].join("\n\n");
}

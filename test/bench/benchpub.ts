/** `npm run benchpub`: publishes what `benchsub` understands, to any Kafka without TLS and accounts. See `--help`. */
import { randomInt } from "node:crypto";
import { readSettings } from "../../shared/node/settings.ts";
import { nowUs } from "./clock.ts";
import { Publisher } from "./load/load.ts";
import { MAX_RUN, MIN_BYTES, MIN_JSON_BYTES } from "./load/payload.ts";
import { Numbers } from "./numbers.ts";
import { MAX_BYTES, MAX_LINGER_MS, MAX_SECONDS, MOST, tooMuch } from "./options.ts";
import { ms, number } from "./report.ts";

const command = {
  usage: "npm run benchpub -- --kafka host:port --topic name [flags]",
  does: "Publishes updates by a fixed schedule, each with the time at which it was due and its number.",
  settings: {
    KAFKA: { means: "Some brokers: host:port[,host:port…]. Required." },
    TOPIC: { means: "The topic, which must exist. Required." },
    ENDPOINTS: { means: "How many keys are written: k0, k1, …", default: "100" },
    RATE: { means: "Updates of each key per second.", default: "1" },
    PAYLOAD: { means: "Bytes of an update.", default: "512" },
    DURATION: { means: "Seconds.", default: "60" },
    LINGER: { means: "Milliseconds for which updates are batched into one request.", default: "1" },
    SEED: { means: "Of chance.", default: "1" },
  },
  switches: { "json-payload": "Updates are JSON and not random bytes.", json: "Prints JSON." },
  flagsOnly: true,
} as const;

const given = readSettings(command, {}, process.argv.slice(2));
if (given.kind === "help") process.stdout.write(given.text);
else if (given.kind === "misused") fail(given.problem);
else {
  const json = given.switches["json-payload"];
  const { KAFKA = "", TOPIC, ...rest } = given.values;
  const read = new Numbers(rest);
  const endpoints = read.whole("ENDPOINTS", 1, MOST);
  const payload = read.whole("PAYLOAD", json ? MIN_JSON_BYTES : MIN_BYTES, MAX_BYTES);
  const [rate, seconds, lingerMs] = [
    read.positive("RATE"),
    read.positive("DURATION", MAX_SECONDS),
    read.positive("LINGER", MAX_LINGER_MS),
  ];
  const seed = read.whole("SEED", 0);
  const problems = [...read.problems, ...tooMuch(endpoints, rate, payload)];
  const brokers = KAFKA.split(",");
  if (!brokers.every((broker) => /^.+:\d{1,5}$/.test(broker)))
    problems.push("--kafka must be host:port[,host:port…]");
  if (TOPIC === undefined) problems.push("--topic is required: --topic name");
  if (problems.length > 0 || TOPIC === undefined) fail(...problems);
  else {
    const target = { kind: "kafka", brokers, topic: TOPIC } as const;
    const publisher = new Publisher({
      target,
      endpoints,
      payload,
      json,
      lingerMs,
      seed,
      run: randomInt(1, MAX_RUN + 1),
    });
    try {
      await publisher.open();
      const from = nowUs();
      const { updates, failed, problem, behindMs } = await publisher.publish(rate, {
        from,
        until: from + seconds * 1e6,
      });
      const why = problem === undefined ? "" : ` (${problem})`;
      const result = { updates, updatesPerSecond: updates / seconds, failed, problem, behindMs };
      process.stdout.write(
        given.switches.json
          ? `${JSON.stringify(result)}\n`
          : `published ${number(updates)} updates, ${number(updates / seconds)} per second; ${number(failed)} failed${why}; late by ${ms(behindMs)} at most\n`,
      );
      if (failed > 0) process.exitCode = 1;
    } catch (error) {
      process.exitCode = 1;
      process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    } finally {
      await publisher.stop();
    }
  }
}

function fail(...problems: readonly string[]): void {
  for (const problem of problems) process.stderr.write(`${problem}\n`);
  process.exitCode = 2;
}

/** The command `produce`: writes one record to the embedded log, beside an origin that may be running on it. */
import { buffer } from "node:stream/consumers";
import { LogError } from "./log.ts";
import { HELP, ProduceError, produce, readCommand } from "./production.ts";

async function main(): Promise<number> {
  const command = readCommand(process.argv.slice(2), process.env);
  switch (command.kind) {
    case "help":
      process.stdout.write(HELP);
      return 0;
    case "usage":
      process.stderr.write(`produce: ${command.problem}. --help says more.\n`);
      return 2;
    case "produce":
      try {
        const value = command.value === "stdin" ? await buffer(process.stdin) : command.value;
        process.stdout.write(`${produce(command, value)}\n`);
        return 0;
      } catch (error) {
        if (!(error instanceof ProduceError || error instanceof LogError)) throw error;
        process.stderr.write(`produce: ${error.message}\n`);
        return 1;
      }
  }
}

process.exitCode = await main();

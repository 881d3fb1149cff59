import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { expect, test } from "vitest";
import { atExit } from "./at-exit.ts";

test("all that must not outlive the process is ended by one listener, however much it is", () => {
  const before = process.listenerCount("exit");
  const callOff = Array.from({ length: 20 }, () => atExit(() => {}));
  expect(process.listenerCount("exit")).toBe(before);
  for (const off of callOff) off();
});

test("what was called off is not ended, and one that fails hinders no other", () => {
  const said = execFileSync(process.execPath, [
    "--input-type=module",
    "--eval",
    `import { atExit } from ${JSON.stringify(join(import.meta.dirname, "at-exit.ts"))};
    atExit(() => { throw new Error("gone already"); });
    atExit(() => console.log("called off"))();
    atExit(() => console.log("ended"));
    process.exit(0);`,
  ]);
  expect(said.toString()).toBe("ended\n");
});

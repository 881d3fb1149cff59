import { expect, test } from "vitest";
import { doneByOthers, NotInjected, needed } from "./not-injected.ts";

test("what a fault needs first and doesn't get in time is no failure of the fault itself", async () => {
  await expect(needed(() => 1, "one")).resolves.toBe(1);
  const late = needed(() => false, "standbys are ready", 1);
  await expect(late).rejects.toThrow(NotInjected);
  await expect(late).rejects.toThrow("not within 1 ms: standbys are ready");
});

test("nor is what others than the product refuse", async () => {
  await expect(doneByOthers(Promise.resolve(1))).resolves.toBe(1);
  await expect(doneByOthers(Promise.reject(new Error("no leader")))).rejects.toThrow(
    new NotInjected("no leader"),
  );
});

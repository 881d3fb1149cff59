/**
 * SIGHUP, from the first moment of the process on: it ends a process that doesn't listen, and one may come while the origin still
 * starts. Whoever loads this listens; what one means is said once the settings are known.
 */
let meaning: (() => void) | undefined;
let hasCome = false;

const heard = () => {
  hasCome = true;
  meaning?.();
};

process.on("SIGHUP", heard);

/** What each means from now on; one that has come is heard now. */
export function whenHungUp(means: () => void): void {
  meaning = means;
  if (hasCome) means();
}

/** As if nobody had listened. */
export function endByHangup(): void {
  process.off("SIGHUP", heard);
  process.kill(process.pid, "SIGHUP");
}

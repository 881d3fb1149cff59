/**
 * Ends a process when the one that started this guard has gone, even by SIGKILL (mortal.ts).
 * Usage: node guard.ts PID, with an IPC channel; the one who started it ends it when the process has ended.
 */
const pid = Number(process.argv[2]);

process.on("disconnect", () => {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has ended already.
  }
});

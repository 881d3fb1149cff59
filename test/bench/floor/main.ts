/** Runs the Worker of the floors where PORT says, as a process that a deployment can have in place of the edge. */
import { onStopRequest } from "../../../edge/local/lifeline.ts";
import { serveWorkerdFloor } from "./serve.ts";

const serving = serveWorkerdFloor(Number(process.env.PORT));
onStopRequest(async () => {
  await (await serving).stop();
  process.exit(0);
});
await serving;

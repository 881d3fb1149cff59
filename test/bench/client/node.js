/** Receives in a process of its own, as often as it is told to. */
import * as distributary from "../../../shared/client/dist/index.js";
import { receive } from "./receive.js";

process.on("message", async ({ how, url, endpoint, updates }) => {
  process.send(await receive(how, distributary, url, endpoint, updates));
});
process.on("disconnect", () => process.exit());

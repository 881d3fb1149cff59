/** The entry of an application that Vite builds: what any application does, and the React one beside it, on the same endpoint. */
import * as distributary from "@distributary/client";
import { createRoot } from "react-dom/client";
import { followAndPublish } from "./application.mjs";
import { App } from "./react-application.mjs";

const query = new URLSearchParams(location.search);
const [url, path] = [query.get("url"), query.get("path")];
const client = new distributary.Client(url);
createRoot(document.body.appendChild(document.createElement("div"))).render(
  <App client={client} path={path} />,
);
globalThis.seen = await followAndPublish(distributary, url, path);

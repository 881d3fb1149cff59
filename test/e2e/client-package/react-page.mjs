import { Client } from "@distributary/client";
import { createElement } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./react-application.mjs";

const query = new URLSearchParams(location.search);
const client = new Client(query.get("url"));
createRoot(document.body.appendChild(document.createElement("div"))).render(
  createElement(App, { client, path: query.get("path") }),
);

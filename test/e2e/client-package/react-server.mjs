import { Client } from "@distributary/client";
import { createElement } from "react";
import { renderToString } from "react-dom/server";
import { App } from "./react-application.mjs";

const client = new Client("http://127.0.0.1:1");
const html = renderToString(createElement(App, { client, path: "/orders/42" }));
console.log(JSON.stringify({ html, connection: client.connection ?? null }));

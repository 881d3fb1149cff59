/** A Worker that is the client of an edge, for as long as a request to it takes. */
import * as distributary from "@distributary/client";
import { followAndPublish } from "./application.mjs";

export default {
  async fetch({ url }) {
    const query = new URL(url).searchParams;
    return Response.json(await followAndPublish(distributary, query.get("url"), query.get("path")));
  },
};

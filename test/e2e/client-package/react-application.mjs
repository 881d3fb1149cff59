/** What an application with React does with the package: two components watch one endpoint, others all its updates and
 * how many there are, and one publishes. */
import {
  DistributaryProvider,
  useLatest,
  useOccupancy,
  usePublish,
  useUpdates,
} from "@distributary/client/react";
import { createElement as h, StrictMode, useState } from "react";

export function App({ client, path }) {
  const [isThere, setThere] = useState(true);
  const parts = [
    h(Board, { path, id: "one" }),
    h(Board, { path, id: "two" }),
    h(Updates, { path }),
    h(Occupancy, { path }),
    h(Sender, { path }),
  ];
  return h(
    StrictMode,
    null,
    h(
      DistributaryProvider,
      { client },
      h("button", { type: "button", id: "toggle", onClick: () => setThere(!isThere) }),
      isThere && h("main", null, ...parts),
    ),
  );
}

function Board({ path, id }) {
  const { update, upToDate } = useLatest(path);
  return h("p", { id }, `${update?.value.n} ${update?.position} ${upToDate}`);
}

function Updates({ path }) {
  const { updates } = useUpdates(path, { limit: 2 });
  return h("p", { id: "updates" }, updates.map(({ value }) => value.n).join());
}

function Occupancy({ path }) {
  return h("p", { id: "occupancy" }, `${useOccupancy(path)}`);
}

function Sender({ path }) {
  const publish = usePublish(path);
  const [position, setPosition] = useState("unsent");
  const send = async (n) => setPosition(await publish({ n }));
  return h("button", { type: "button", id: "send", onClick: () => send(1) }, position);
}

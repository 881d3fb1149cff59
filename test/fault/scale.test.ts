/** Subscribers of a crowded run are as patient as clients are, and as hasty as ever in any other. */
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { expect, test } from "vitest";
import { settingsOf } from "../../shared/client/settings.ts";
import { eventually } from "../support/deadline.ts";
import { seeded } from "./random.ts";
import { ResumingConnection } from "./resuming-connection.ts";
import { AS_CLIENTS, HASTY, type Patience, scaleOf } from "./scale.ts";

test("[S10] [S11] where there are many, each is as patient as the product's client", () => {
  const usual = scaleOf({ count: 8, each: 30, over: 1_000 });
  const crowded = scaleOf({ count: 1_000, each: 50, over: 2_000 });

  expect(usual).toMatchObject({ patience: HASTY, faults: 1 });
  expect(crowded.patience).toBe(AS_CLIENTS);
  expect(crowded.faults).toBeLessThan(1);
  expect(settingsOf({}).limits).toMatchObject(AS_CLIENTS);
});

test("[S10] a dial is given up when its patience is over, and not before", async () => {
  const dials: string[] = [];
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.once("data", (data) => dials.push(/client=(\w+)/.exec(data.toString())?.[1] ?? ""));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const connectTo = (name: string, patience: Patience) =>
    new ResumingConnection({
      name,
      edge: `ws://127.0.0.1:${port}`,
      endpoints: ["/t/a"],
      random: seeded(1),
      patience,
      wanders: Number.POSITIVE_INFINITY,
      heard: () => {},
      written: () => 0,
      wrong: () => {},
    });
  const all = [connectTo("hasty", { ...HASTY, connectMs: 500 }), connectTo("patient", AS_CLIENTS)];

  await eventually(() => dials.filter((name) => name === "hasty").length === 3, "three dials");
  expect(dials.filter((name) => name === "patient")).toEqual(["patient"]);

  await Promise.all(all.map((one) => one.close()));
  server.close();
});

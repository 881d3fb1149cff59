import { expect, test } from "vitest";
import { checkDescriptors, type Plan } from "./descriptors.ts";

const plan = (given: Partial<Plan> = {}): Plan => ({
  clients: 1_000,
  processes: 2,
  server: "workerd",
  workers: 1,
  publishers: 1,
  limit: 20_000,
  ...given,
});

test("what fits has no problem", () => {
  expect(checkDescriptors(plan())).toEqual({ needed: 2_062, problems: [] });
});

test("workerd's part is said in words, with how many clients would fit", () => {
  const { problems } = checkDescriptors(plan({ clients: 10_000 }));

  expect(problems).toEqual([
    "workerd would need 20062 file descriptors (2 for each of 10001 connections), and 20000 are allowed: raise the limit with ulimit -n, or take at most 9969 clients",
  ]);
  expect(checkDescriptors(plan({ clients: 9_969 })).problems).toEqual([]);
});

test("several processes that serve share the connections", () => {
  const two = { server: "node", workers: 2, clients: 30_000, processes: 4 } as const;
  expect(checkDescriptors(plan(two)).problems).toEqual([]);
  expect(checkDescriptors(plan({ ...two, workers: 1 })).problems.join()).toContain(
    "take at most 19940 clients",
  );
});

test("where the publisher's sockets alone are too many, fewer clients aren't recommended", () => {
  const { problems } = checkDescriptors(plan({ clients: 1_000, publishers: 10_000 }));

  expect(problems[0]).toMatch(/or take fewer endpoints$/);
});

test("the processes of clients and of the publisher have the limit too", () => {
  const clients = checkDescriptors(plan({ server: "node", clients: 900, processes: 1, limit: 950 }));
  expect(clients.problems.join()).toContain("a process of clients would need 960");

  const publisher = checkDescriptors(plan({ server: "node", clients: 10, publishers: 900, limit: 950 }));
  expect(publisher.problems.join()).toContain("the publisher would need 960");
});

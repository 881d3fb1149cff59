/**
 * What the bill depends on and nobody has proved. The two bounds of an estimate are the model under the kindest and under
 * the harshest of these assumptions. Pure.
 */

/** What no bill has shown yet. Each in its kinder form first. */
export const ASSUMPTIONS = {
  links: {
    choices: ["20:1", "1:1"],
    means:
      "messages from a shard to an object are billed 20:1, as those from outside are, or each as a request",
  },
  pings: {
    choices: ["free", "20:1"],
    means: "pings that the runtime answers by itself are free, or billed as other messages",
  },
  activity: {
    choices: ["handlers", "everything"],
    means: "an object is active while its handlers run, or for all CPU time that an update costs the machine",
  },
  arrival: {
    choices: ["together", "apart"],
    means:
      "updates of one endpoint that come within a few milliseconds travel in one message, or each in its own; and those of all endpoints, or only as many as must",
  },
  absence: {
    choices: ["short", "long"],
    means:
      "who comes back is served from its object's window, or the origin must be asked; an endpoint that only one watched is still attached, or must be attached again",
  },
  storage: {
    choices: ["none", "empty"],
    means: "an object that stores nothing takes no room, or that of an empty database",
  },
} as const satisfies Record<string, { readonly choices: readonly [string, string]; readonly means: string }>;

export type Assumption = keyof typeof ASSUMPTIONS;
export type Assumptions = { readonly [A in Assumption]: (typeof ASSUMPTIONS)[A]["choices"][number] };

const ALL = Object.keys(ASSUMPTIONS) as Assumption[];
const choose = (which: 0 | 1) =>
  Object.fromEntries(ALL.map((name) => [name, ASSUMPTIONS[name].choices[which]])) as Assumptions;
export const KINDEST: Assumptions = choose(0);
export const HARSHEST: Assumptions = choose(1);

/** The kindest assumptions with one of them turned into its harsher form. */
export function turned(name: Assumption): Assumptions {
  return { ...KINDEST, [name]: HARSHEST[name] };
}

import { describe, expect, test } from "vitest";
import {
  type Subscription,
  type SubscriptionEvent,
  stepSubscription,
  subscribed,
} from "../../../edge/endpoint/subscription-states.ts";

const at = (offset: number) => new Map([["e", offset]]);

describe("[S3] [S4] [R2] every event in every state of a subscription", () => {
  const states: { readonly [K in Subscription["kind"]]: Extract<Subscription, { kind: K }> } = {
    waiting: { kind: "waiting", from: at(1), since: 100 },
    told: { kind: "told", from: at(1), since: 100 },
    lagging: { kind: "lagging", from: at(1), since: 100 },
    live: { kind: "live", beyond: at(1) },
  };
  const events = {
    told: { kind: "told" },
    served: { kind: "served", upTo: "live", beyond: at(2) },
    "served in part": { kind: "served", upTo: at(5) },
    recalled: { kind: "recalled", from: at(7), since: 200 },
  } as const satisfies Record<string, SubscriptionEvent>;
  const [stays, live] = [undefined, { kind: "live", beyond: at(2) }];
  const further = { kind: "lagging", from: at(5), since: 100 };
  const expected: Record<Subscription["kind"], Record<keyof typeof events, unknown>> = {
    waiting: { told: states.told, served: live, "served in part": further, recalled: stays },
    told: { told: stays, served: live, "served in part": further, recalled: stays },
    lagging: { told: stays, served: live, "served in part": further, recalled: stays },
    live: {
      told: stays,
      served: stays,
      "served in part": stays,
      recalled: { kind: "lagging", from: at(7), since: 200 },
    },
  };
  const cells = Object.values(states).flatMap((state) =>
    Object.entries(events).map(([name, event]) => [state.kind, name, event] as const),
  );

  test.each(cells)("%s, when it is %s", (kind, name, event) => {
    const state = states[kind];

    const after = stepSubscription(state, event);

    expect(after).toEqual(expected[kind][name as keyof typeof events] ?? state);
  });

  test("[S2] a subscribe begins with a verdict that is due", () => {
    expect(subscribed(at(3), 100)).toEqual({ kind: "waiting", from: at(3), since: 100 });
    expect(subscribed(undefined, 100)).toEqual({ kind: "waiting", from: undefined, since: 100 });
  });
});

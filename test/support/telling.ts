/** What a subscription tells its user, in the words of the vectors. */
import type { SharedSubscription } from "../../shared/client/client.ts";

export function tellingOf(subscription: SharedSubscription): string[] {
  const told: string[] = [];
  tellAll(subscription, (line) => told.push(line));
  return told;
}

export function tellAll(subscription: SharedSubscription, tell: (line: string) => void): void {
  subscription.on("update", ({ position }) => tell(`update ${position}`));
  subscription.on("live", () => tell("live"));
  subscription.on("gap", ({ cause }) => tell(`lost ${cause}`));
  subscription.on("wait", () => tell("wait"));
  subscription.on("error", ({ code }) => tell(`error ${code}`));
  subscription.on("occupancy", ({ subscribers }) => tell(`subscribers ${subscribers}`));
  subscription.on("connection", ({ state }) => {
    if (state === "backingOff") tell("reconnect");
    if (state === "closed") tell("end");
  });
}

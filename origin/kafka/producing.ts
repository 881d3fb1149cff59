/** Brings the batches of one claim to whoever leads its partition. */
import { SinkError } from "../publish/sink.ts";
import { TIME_LIMITS } from "../time-limits.ts";
import type { ClaimPorts } from "./claim.ts";
import { type Lanes, UnsentError } from "./lanes.ts";
import type { Leaders, Place, Where } from "./leaders.ts";
import { NamedTopicCheck } from "./named-topic.ts";
import { wordsOf } from "./patience.ts";
import { produceRequest, WRITE_ERROR } from "./produce-requests.ts";
import type { Request } from "./request.ts";
import { ownIdOf } from "./topic-epoch.ts";

const WAITS = { timeoutMs: TIME_LIMITS.produceReplicasMs, silenceMs: TIME_LIMITS.produceSilentMs };

export function producing(
  where: Where,
  leaders: Pick<Leaders, "locate">,
  lanes: Pick<Lanes, "send">,
): Pick<ClaimPorts, "produce" | "relocate"> {
  const { topic, partition } = where;
  const check = new NamedTopicCheck();
  let place: Promise<Place> | undefined;
  return {
    produce: async (batch, which, isLate) => {
      place ??= leaders.locate(where);
      const at = await unsent(place);
      const { leader } = at;
      const send = <T>(sent: Request<T>) => lanes.send(leader, sent, which);
      const named = { topic, topicId: ownIdOf(at), partition };
      if (check.isDue) await unsent(check.show(send, named));
      const answer = await send(unlessLate(produceRequest(named, batch, WAITS), isLate));
      if (!check.answered(answer.isById) && answer.error === WRITE_ERROR.none)
        await sent(check.show(send, named));
      return answer;
    },
    relocate: () => {
      place = undefined;
    },
  };
}

/** This process may have been stopped since: it looks at the time when the request is about to leave. */
function unlessLate<T>(request: Request<T>, isLate: () => boolean): Request<T> {
  const { encode } = request;
  return {
    ...request,
    encode: (writer) => {
      if (isLate()) throw new UnsentError("its time was over before it left");
      encode(writer);
    },
  };
}

/** What is done before something is sent. */
async function unsent<T>(before: Promise<T>): Promise<T> {
  try {
    return await before;
  } catch (error) {
    throw error instanceof SinkError ? error : new UnsentError(wordsOf(error), { cause: error });
  }
}

/** What is done after something was sent: whatever becomes of it, that has left. */
async function sent(after: Promise<void>): Promise<void> {
  try {
    await after;
  } catch (error) {
    throw error instanceof UnsentError ? new Error(wordsOf(error), { cause: error }) : error;
  }
}

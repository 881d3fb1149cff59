/** What goes wrong for good, as users of the client see it. */
import type { ErrorBody } from "../../protocol/error-body.ts";

/**
 * Why a subscription ended, or a request failed. `code` is the edge's (section "Errors and closes" of PROTOCOL.md), or one of the
 * client's own: `closed`, `slow_reader`, `unreachable`.
 */
export class ClientError extends Error {
  override readonly name = "ClientError";
  readonly code: string;
  /** Whether the same may do later. */
  readonly retry: boolean;
  /** What it is about, if that is an endpoint. */
  readonly endpoint: string | undefined;

  constructor({ code, message, retry }: ErrorBody, endpoint?: string) {
    super(message);
    this.code = code;
    this.retry = retry;
    this.endpoint = endpoint;
  }
}

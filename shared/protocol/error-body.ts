/** What an error says, in every frame and in the body of every answer over HTTP (H6, S7). */
export interface ErrorBody {
  readonly code: string;
  readonly message: string;
  readonly retry: boolean;
  /** Of what a connection asked too often (S20), or of a token that can't be looked at yet (T3). */
  readonly retryAfterMs?: number | undefined;
}

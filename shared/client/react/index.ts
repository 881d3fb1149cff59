/**
 * `@distributary/client/react`: hooks. A component that watches an endpoint shares the client's connection, and those that watch
 * the same endpoint share what comes on it, so each may ask for what it needs.
 */
import {
  createContext,
  createElement,
  type FunctionComponentElement,
  type ProviderProps,
  type ReactNode,
  useCallback,
  useContext,
  useMemo,
  useSyncExternalStore,
} from "react";
import type { Client, Endpoint, PublishOptions, Reading, Update } from "../index.ts";
import { UNWATCHED, type Watch, Watched } from "./watched.ts";

export type { Watch } from "./watched.ts";

const ClientContext = createContext<Client | undefined>(undefined);

export interface DistributaryProviderProps {
  /** Made outside of components: it dials when something is needed, and closes its connection when nothing is. */
  readonly client: Client;
  readonly children?: ReactNode;
}

export function DistributaryProvider({
  client,
  children,
}: DistributaryProviderProps): FunctionComponentElement<ProviderProps<Client | undefined>> {
  return createElement(ClientContext.Provider, { value: client }, children);
}

/** That of the provider. Throws Error outside of one. */
export function useClient(): Client {
  const client = useContext(ClientContext);
  if (client === undefined) throw new Error("there is no <DistributaryProvider> around this component");
  return client;
}

export interface LatestWatch<T> extends Omit<Watch<T>, "updates" | "subscribers"> {
  readonly update: Update<T> | undefined;
}

/** The latest update, and how the subscription stands. A schema or codec is to be the same each time: make it outside of the component. */
export function useLatest<T = unknown>(endpoint: Endpoint, reading: Reading<T> = {}): LatestWatch<T> {
  const { updates, subscribers: _, ...watch } = useWatch({ ...reading, endpoint, limit: 1 });
  return { update: updates[0], ...watch };
}

export interface UpdatesOptions<T> extends Reading<T> {
  /** How many of the last updates are kept: 100, unless said otherwise. */
  readonly limit?: number | undefined;
}

const LIMIT = 100;

/** The last updates since the component is there, the latest one last. One whose `gap` isn't undefined may lack others before it. */
export function useUpdates<T = unknown>(
  endpoint: Endpoint,
  { limit = LIMIT, ...reading }: UpdatesOptions<T> = {},
): Watch<T> {
  return useWatch({ ...reading, endpoint, limit });
}

/** What publishes to an endpoint; the same function as long as that is the same. It resolves with the record's position. */
export function usePublish<T = unknown>(
  endpoint: Endpoint,
): (value: T, options?: PublishOptions<T>) => Promise<string> {
  const client = useClient();
  const path = client.pathOf(endpoint);
  return useCallback((value, options) => client.publish(path, value, options), [client, path]);
}

/** How many subscriptions to the endpoint there are, of all clients; undefined until the edge has said it, or if it doesn't. */
export function useOccupancy(endpoint: Endpoint): number | undefined {
  const watched = useWatched({ endpoint, limit: 1, occupancy: true });
  return useSyncExternalStore(
    watched.watch,
    () => watched.now().subscribers,
    () => undefined,
  );
}

interface Watching<T> extends Reading<T> {
  readonly endpoint: Endpoint;
  readonly limit: number;
  readonly occupancy?: true;
}

function useWatch<T>(watching: Watching<T>): Watch<T> {
  const watched = useWatched(watching);
  return useSyncExternalStore(watched.watch, watched.now, () => UNWATCHED);
}

function useWatched<T>({ endpoint, limit, occupancy, schema, codec }: Watching<T>): Watched<T> {
  const client = useClient();
  const path = client.pathOf(endpoint);
  return useMemo(
    () => new Watched<T>(() => client.subscribe<T>(path, { occupancy, schema, codec }), limit),
    [client, path, occupancy, schema, codec, limit],
  );
}

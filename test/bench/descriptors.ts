/** Whether a run fits the limit of open files, computed before it starts and said in words. Pure. */

export interface Plan {
  readonly clients: number;
  /** Processes among which the clients are spread. */
  readonly processes: number;
  /** Where the clients' connections end; undefined if that is none of ours. */
  readonly server: "workerd" | "node" | "centrifugo" | undefined;
  /** Processes that the server is, each with its share of the connections. */
  readonly workers: number;
  /** Sockets that the publisher opens to the server. */
  readonly publishers: number;
  /** Files that one process may open. */
  readonly limit: number;
}

/** A connection in workerd, accepted by the Worker and passed on to an object, which opens no file itself. */
const PER_CONNECTION = 2;
/** What a process has open besides. */
const SPARE = 60;

export interface Fits {
  readonly needed: number;
  /** One sentence for each process that can't open what it needs; empty where the run fits. */
  readonly problems: readonly string[];
}

export function checkDescriptors({ clients, processes, server, workers, publishers, limit }: Plan): Fits {
  const inServer = {
    workerd: PER_CONNECTION * (clients + publishers) + SPARE,
    node: Math.ceil(clients / workers) + SPARE,
    centrifugo: clients + SPARE,
    elsewhere: 0,
  }[server ?? "elsewhere"];
  const inClients = Math.ceil(clients / processes) + SPARE;
  const problems: string[] = [];
  if (inServer > limit) {
    const most =
      server === "workerd"
        ? Math.floor((limit - SPARE) / PER_CONNECTION) - publishers
        : (limit - SPARE) * workers;
    const parts =
      server === "workerd" ? ` (${PER_CONNECTION} for each of ${clients + publishers} connections)` : "";
    const instead = most > 0 ? `, or take at most ${most} clients` : " or take fewer endpoints";
    problems.push(
      `${server} would need ${inServer} file descriptors${parts}, and ${limit} are allowed: raise the limit with ulimit -n${instead}`,
    );
  }
  if (inClients > limit)
    problems.push(
      `a process of clients would need ${inClients} file descriptors, and ${limit} are allowed: raise the limit with ulimit -n, or spread the clients with --processes`,
    );
  const inPublisher = publishers + SPARE;
  if (inPublisher > limit)
    problems.push(`the publisher would need ${inPublisher} file descriptors, and ${limit} are allowed`);
  return { needed: Math.max(inServer, inClients, inPublisher), problems };
}

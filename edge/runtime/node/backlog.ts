/** Connections that may wait to be accepted: all clients of an edge may come at once. The system allows no more than it is set to. */
export const BACKLOG = 4_096;

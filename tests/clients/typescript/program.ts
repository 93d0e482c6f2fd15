// A program of a customer's: it is checked against the types that are generated from the API's document, and never run.
import createClient from "openapi-fetch";

import type { components, paths } from "./api.js";

type Instance = components["schemas"]["Instance"];
type Problem = components["schemas"]["Problem"];

const api = createClient<paths>({ baseUrl: "http://localhost:3000" });

/** What went wrong, for people. There is no body when even the request's head was too large. */
function refused(problem: Problem | undefined): Error {
  const fields = problem?.errors?.map((error) => `${error.field}: ${error.message}`) ?? [];
  return new Error([problem?.code ?? "refused", problem?.detail, ...fields].join("\n"));
}

export async function orderServer(planId: string): Promise<string> {
  const { data, error } = await api.POST("/api/v1/orders", {
    params: { header: { "Idempotency-Key": crypto.randomUUID() } },
    body: {
      plan_id: planId,
      region: "sgp1",
      image: "ubuntu-24-04",
      hostname: "web-1",
      term_months: 1,
      payment_method: "QRIS",
    },
  });
  if (!data) throw refused(error);
  return data.payment.qr_string ?? data.id;
}

export async function serversWithTag(tag: string): Promise<Instance[]> {
  const found: Instance[] = [];
  let cursor: string | null = null;
  do {
    const query: { tag: string; sort: "hostname"; cursor?: string } = { tag, sort: "hostname" };
    if (cursor !== null) query.cursor = cursor;
    const { data, error } = await api.GET("/api/v1/instances", { params: { query } });
    if (!data) throw refused(error);
    found.push(...data.data);
    cursor = data.next_cursor;
  } while (cursor !== null);
  return found;
}

/** Changes what was seen, and nothing that somebody else changed meanwhile. */
export async function addTag(id: string, tag: string): Promise<boolean> {
  const path = { id };
  const { data, error, response } = await api.GET("/api/v1/instances/{id}", { params: { path } });
  if (!data) throw refused(error);
  const changed = await api.PUT("/api/v1/instances/{id}/tags", {
    params: { path, header: { "If-Match": response.headers.get("etag") ?? "*" } },
    body: { tags: [...data.tags, tag] },
  });
  return changed.response.status !== 412;
}

export async function rebuild(id: string): Promise<string> {
  const { data, error } = await api.POST("/api/v1/instances/{id}/actions", {
    params: { path: { id } },
    body: { action: "rebuild", params: { image: "debian-12" } },
  });
  if (!data) throw refused(error);
  return data.action.status;
}

// What must not fit: an action without the parameter that it takes.
// @ts-expect-error `rename` wants a name
export const incomplete: components["schemas"]["ActionRequest"] = { action: "rename" };

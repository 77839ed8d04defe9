import createClient, { type Client as OpenApiClient } from "openapi-fetch";
import type { components, paths } from "./schema";

export type Client = OpenApiClient<paths>;
export type ApiError = components["schemas"]["ApiError"];

/** A client for one person, or for nobody. */
export function connect(baseUrl: string, token?: string): Client {
  return createClient<paths>({
    baseUrl,
    headers: token === undefined ? {} : { Authorization: `Bearer ${token}` },
  });
}

export class Refused extends Error {
  constructor(readonly reason: ApiError) {
    super(`${reason.statusCode}: ${reason.message}`);
  }
}

/** The data of a success; everything else is thrown, in the API's own words. */
export async function ok<T>(
  result: Promise<{ data?: T; error?: ApiError; response: Response }>,
): Promise<T> {
  const { data, error } = await result;
  if (error !== undefined) throw new Refused(error);
  return data as T;
}

export function check(condition: boolean, what: string): asserts condition {
  if (!condition) throw new Error(`Expected ${what}`);
}

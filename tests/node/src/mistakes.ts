/** What the types must refuse. Never run: tsc complains where there is nothing to expect. */

import type { Client } from "./client";

export function mistakes(client: Client) {
  // @ts-expect-error no such route
  void client.GET("/mentor/nowhere");
  // @ts-expect-error no such method
  void client.DELETE("/mentors");
  // @ts-expect-error scheduledTime is missing
  void client.POST("/requests", { body: { mentorId: "", topic: "", scheduledDate: "" } });
  // @ts-expect-error a number
  void client.PATCH("/mentor/me", { body: { sessionRate: "free" } });
  // @ts-expect-error no such status
  void client.GET("/sessions", { params: { query: { status: "done" } } });
  // @ts-expect-error no such field in the response
  void client.GET("/mentors").then(({ data }) => data?.[0]?.name);
}

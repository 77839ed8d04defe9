// Reads openapi.json with strict tools, and prints what they find.

import { readFileSync } from "node:fs";

import { fromOpenApi } from "@mswjs/source/open-api";
import spectralCore from "@stoplight/spectral-core";
import spectralRulesets from "@stoplight/spectral-rulesets";
import addFormats from "ajv-formats";
import { Ajv2020 } from "ajv/dist/2020.js";
import { getResponse } from "msw";

const text = readFileSync("openapi.json", "utf8");
const document = JSON.parse(text);
const base = "http://127.0.0.1/api";

// Strict: an unknown keyword or format is an error. `type: [string, null]` is how 3.1 says null.
const ajv = addFormats(new Ajv2020({ strict: true, allowUnionTypes: true, allErrors: true }));
ajv.addKeyword("components");
const compile = (schema) => ajv.compile({ ...schema, components: document.components });

const complaints = [];
for (const name of Object.keys(document.components.schemas)) {
  try {
    compile({ $ref: `#/components/schemas/${name}` });
  } catch (error) {
    complaints.push(`${name}: ${error.message}`);
  }
}

// The response of a mock, made from the document, to each operation: it must fit the schema.
const handlers = await fromOpenApi({ ...document, servers: [{ url: base }] });
const mocked = {};
for (const [path, operations] of Object.entries(document.paths)) {
  for (const [method, operation] of Object.entries(operations)) {
    const url = base + path.replaceAll(/\{\w+\}/g, "1");
    // By default the mock responds with 200.
    const status = Object.keys(operation.responses)[0];
    const request = new Request(`${url}?response=${status}`, { method: method.toUpperCase() });
    const response = await getResponse(handlers, request);
    mocked[operation.operationId] = response?.status ?? null;
    const media = operation.responses[response?.status]?.content?.["application/json"];
    if (media === undefined) continue;
    const valid = compile(media.schema);
    if (!valid(await response.json())) {
      complaints.push(`${operation.operationId}: ${ajv.errorsText(valid.errors)}`);
    }
  }
}

const spectral = new spectralCore.Spectral();
spectral.setRuleset({ extends: [spectralRulesets.oas] });
// Not the object, in which the mocks have replaced references.
const linted = await spectral.run(text);

console.log(JSON.stringify({ complaints, mocked, linted }));

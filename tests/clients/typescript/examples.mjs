// Every example of the document has to be a value of its schema.
import { readFileSync } from "node:fs";
import process from "node:process";

import Ajv from "ajv/dist/2020.js";
import addFormats from "ajv-formats";

const document = JSON.parse(readFileSync(process.argv[2], "utf8"));
const ajv = new Ajv({ strict: false, allErrors: true, validateFormats: true });
addFormats(ajv);
for (const format of ["int32", "int64", "uint64", "double", "float", "binary", "password"]) ajv.addFormat(format, true);
ajv.addSchema(document, "document");

const pointer = (parts) => parts.map((part) => encodeURIComponent(part.replaceAll("~", "~0").replaceAll("/", "~1"))).join("/");
let seen = 0;
const wrong = [];

function check(value, path) {
  if (Array.isArray(value)) return value.forEach((item, index) => check(item, [...path, String(index)]));
  if (value === null || typeof value !== "object") return;
  const isMedia = path.at(-2) === "content";
  if (isMedia && value.schema && value.example !== undefined && !path.at(-1).startsWith("multipart/")) {
    seen += 1;
    const validate = ajv.compile({ $ref: `document#/${pointer([...path, "schema"])}` });
    if (!validate(value.example)) wrong.push(`${path.join(" ")}: ${ajv.errorsText(validate.errors)}`);
  }
  for (const [key, inner] of Object.entries(value)) {
    if (key !== "example" && key !== "examples") check(inner, [...path, key]);
  }
}

check(document.paths, ["paths"]);
check(document.components.responses, ["components", "responses"]);
if (wrong.length > 0 || seen < 200) {
  console.error([...wrong, `${wrong.length} of ${seen} examples are no values of their schemas`].join("\n"));
  process.exit(1);
}
console.log(`${seen} examples are values of their schemas`);

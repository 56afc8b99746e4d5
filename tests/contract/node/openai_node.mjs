// The scenario of test_real_clients for the Node `openai` package: prints what it saw as JSON.
import OpenAI from "openai";

const email = process.env.SCENARIO_EMAIL;
const secret = process.env.SCENARIO_SECRET;
const model = "gpt-4o-mini";
const messages = [{ role: "user", content: `Write to ${email}` }];
const parameters = {
  type: "object",
  properties: { to: { type: "string" } },
  required: ["to"],
  additionalProperties: false,
};
const tool = { type: "function", function: { name: "send_mail", parameters, strict: true } };
const asked = `call send_mail ${JSON.stringify({ to: email })}`;
const client = new OpenAI();
const seen = {};

async function chat() {
  const plain = await client.chat.completions.create({ model, messages });
  seen.plain = plain.choices[0].message.content;
  seen.usage = plain.usage.total_tokens > 0;
  seen.stream = "";
  for await (const chunk of await client.chat.completions.create({ model, messages, stream: true })) {
    seen.stream += chunk.choices[0]?.delta?.content ?? "";
  }
  const several = await client.chat.completions.create({ model, messages, n: 3, logprobs: true, top_logprobs: 2 });
  seen.several = several.choices.map((choice) => choice.message.content);
  const schema = {
    type: "object",
    properties: { text: { type: "string" }, count: { type: "integer" } },
    required: ["text", "count"],
    additionalProperties: false,
  };
  const note = await client.chat.completions.parse({
    model,
    messages: [{ role: "user", content: "a short note" }],
    response_format: { type: "json_schema", json_schema: { name: "note", strict: true, schema } },
  });
  seen.structured = JSON.parse(note.choices[0].message.content);
}

async function tools() {
  const turn = [{ role: "user", content: asked }];
  const first = await client.chat.completions.create({ model, messages: turn, tools: [tool] });
  const call = first.choices[0].message.tool_calls[0];
  seen.tool_name = call.function.name;
  seen.tool_arguments = JSON.parse(call.function.arguments);
  let streamed = "";
  for await (const chunk of await client.chat.completions.create({ model, messages: turn, tools: [tool], stream: true })) {
    for (const part of chunk.choices[0]?.delta?.tool_calls ?? []) streamed += part.function?.arguments ?? "";
  }
  seen.tool_stream = JSON.parse(streamed);
  turn.push(first.choices[0].message, { role: "tool", tool_call_id: call.id, content: `sent to ${email}` });
  const last = await client.chat.completions.create({ model, messages: turn, tools: [tool] });
  seen.tool_answer = last.choices[0].message.content;
}

async function responses() {
  const input = `Write to ${email}`;
  seen.responses_plain = (await client.responses.create({ model, input })).output_text;
  const kinds = new Set();
  seen.responses_stream = "";
  for await (const event of await client.responses.create({ model, input, stream: true })) {
    kinds.add(event.type);
    if (event.type === "response.output_text.delta") seen.responses_stream += event.delta;
    if (event.type === "response.completed") seen.responses_completed = event.response.output[0].content[0].text;
  }
  seen.responses_order = [...kinds];
  const flat = { type: "function", name: "send_mail", parameters, strict: true };
  const called = await client.responses.create({ model, input: asked, tools: [flat] });
  seen.responses_call = JSON.parse(called.output[0].arguments);
}

async function others() {
  const wanted = { model: "text-embedding-3-small", input: ["one", "two"] };
  const packed = await client.embeddings.create(wanted); // base64 on the wire by default
  const floats = await client.embeddings.create({ ...wanted, encoding_format: "float" });
  seen.embedding_size = packed.data[0].embedding.length;
  const other = floats.data[1].embedding;
  seen.embeddings_agree = packed.data[1].embedding.every((value, at) => Math.abs(value - other[at]) < 1e-5);
  const completion = await client.completions.create({ model: "gpt-3.5-turbo-instruct", prompt: `Write to ${email}` });
  seen.completion = completion.choices[0].text;
  seen.models = [];
  for await (const one of client.models.list()) seen.models.push(one.id);
  seen.models.sort();
  seen.model = (await client.models.retrieve(model)).id;
}

async function refusals() {
  const leak = [{ role: "user", content: `key ${secret}` }];
  await client.chat.completions.create({ model, messages: leak }).catch((error) => {
    if (!(error instanceof OpenAI.BadRequestError)) throw error;
    seen.blocked_code = error.code;
    seen.blocked_message = error.message;
  });
  await client.chat.completions.create({ model: "gpt-4o-mimi", messages }).catch((error) => {
    if (!(error instanceof OpenAI.NotFoundError)) throw error;
    seen.unknown_model = error.code;
  });
  await new OpenAI({ apiKey: "yett_nosuchkey_aaaa" }).models.list().catch((error) => {
    if (!(error instanceof OpenAI.AuthenticationError)) throw error;
    seen.wrong_key = error.status;
  });
}

for (const step of [chat, tools, responses, others, refusals]) await step();
const many = await Promise.all(Array.from({ length: 16 }, () => client.chat.completions.create({ model, messages })));
seen.async_plain = seen.plain;
seen.async_stream = seen.stream;
seen.async_many = [...new Set(many.map((answer) => answer.choices[0].message.content))];
console.log(JSON.stringify(seen));

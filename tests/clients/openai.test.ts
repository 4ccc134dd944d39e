import OpenAI from "openai";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { missing, Server } from "./server";

const model = "fake-1b";
const weather: OpenAI.Chat.Completions.ChatCompletionFunctionTool = {
  type: "function",
  function: {
    name: "weather",
    parameters: {
      type: "object",
      properties: { city: { enum: ["Oslo", "Rome"] } },
      required: ["city"],
      additionalProperties: false,
    },
  },
};
const call = '<tool_call>{"name": "weather", "arguments": {"city": "Oslo"}}</tool_call>';

describe.skipIf(missing !== undefined)(`OpenAI's package for JavaScript${missing ?? ""}`, () => {
  let server: Server;
  let client: OpenAI;

  beforeAll(async () => {
    const card = { step_seconds: 0.002, max_seq_len: 2048 };
    server = await Server.start({ FAKE_CARD: JSON.stringify(card) });
    client = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: "none", maxRetries: 0 });
  }, 60_000);

  afterAll(async () => {
    await server.stop();
  }, 60_000);

  const asked = (content: string) => ({ model, messages: [{ role: "user" as const, content }] });

  it("lists and describes models", async () => {
    const names: string[] = [];
    for await (const each of client.models.list()) names.push(each.id);
    expect(names).toEqual([model, "my-model"]);
    expect((await client.models.retrieve("my-model")).id).toBe("my-model");
  });

  it("gets an answer with its usage and the request's name", async () => {
    const answer = await client.chat.completions.create(asked("hello"));
    expect(answer.choices[0]?.message.content).toBe("You said: hello");
    expect(answer.choices[0]?.finish_reason).toBe("stop");
    expect(answer.usage?.completion_tokens).toBe(15);
    expect(answer._request_id).toMatch(/^req-/);
  });

  it("gets a stream with its usage", async () => {
    const stream = await client.chat.completions.create({
      ...asked("say streamed"),
      stream: true,
      stream_options: { include_usage: true },
    });
    let text = "";
    let tokens: number | undefined;
    for await (const chunk of stream) {
      text += chunk.choices[0]?.delta.content ?? "";
      tokens = chunk.usage?.completion_tokens ?? tokens;
    }
    expect(text).toBe("streamed");
    expect(tokens).toBe(8);
  });

  it("gets several answers, stops, limits and log-probabilities", async () => {
    const answer = await client.chat.completions.create({
      ...asked("say one two"),
      n: 2,
      stop: ["two"],
      logprobs: true,
      top_logprobs: 2,
    });
    expect(answer.choices.map((choice) => choice.message.content)).toEqual(["one ", "one "]);
    const told = answer.choices[0]?.logprobs?.content ?? [];
    expect(told.slice(0, 3).map((token) => token.token)).toEqual(["o", "n", "e"]);
    expect(told[0]?.top_logprobs).toHaveLength(2);
    const cut = await client.chat.completions.create({
      ...asked("say long"),
      max_completion_tokens: 2,
    });
    expect(cut.choices[0]).toMatchObject({ finish_reason: "length", message: { content: "lo" } });
  });

  it("gets calls of tools, whole and through its stream helper", async () => {
    const answer = await client.chat.completions.create({
      ...asked(`say ${call}`),
      tools: [weather],
    });
    expect(answer.choices[0]?.finish_reason).toBe("tool_calls");
    expect(answer.choices[0]?.message.tool_calls?.[0]).toMatchObject({
      function: { name: "weather", arguments: '{"city": "Oslo"}' },
    });
    const stream = client.chat.completions.stream({ ...asked(`say ${call}`), tools: [weather] });
    const whole = await stream.finalChatCompletion();
    expect(whole.choices[0]?.message.tool_calls?.[0]?.function.name).toBe("weather");
  });

  it("makes a call itself and brings the result back", async () => {
    let asks = 0;
    const runner = client.chat.completions.runTools(
      {
        ...asked(`say ${call}`),
        tools: [
          {
            type: "function",
            function: {
              name: "weather",
              description: "The weather of a city.",
              parameters: weather.function.parameters ?? {},
              parse: (text: string): unknown => JSON.parse(text),
              function: (given: unknown) => {
                asks += 1;
                return JSON.stringify(given);
              },
            },
          },
        ],
      },
      { maxChatCompletions: 2 },
    );
    await runner.done();
    expect(asks).toBe(2); // the fake model says the same again when it has the answer
    const results = runner.messages.filter((message) => message.role === "tool");
    expect(results[0]?.content).toBe('{"city":"Oslo"}');
  });

  it("parses JSON that fits a schema", async () => {
    const answer = await client.chat.completions.parse({
      ...asked("hash"),
      response_format: {
        type: "json_schema",
        json_schema: { name: "city", schema: weather.function.parameters ?? {}, strict: true },
      },
    });
    const city = JSON.parse(answer.choices[0]?.message.content ?? "") as { city: string };
    expect(["Oslo", "Rome"]).toContain(city.city);
  });

  it("continues texts", async () => {
    const answer = await client.completions.create({
      model,
      prompt: ["say a", "say b"],
      echo: true,
    });
    expect(answer.choices.map((choice) => choice.text)).toEqual(["say aa", "say bb"]);
    const ids = await client.completions.create({ model, prompt: [104, 105], max_tokens: 8 });
    expect(ids.choices[0]?.text).toBe("You said");
  });

  it("tells mistakes as its own errors", async () => {
    const create = client.chat.completions.create.bind(client.chat.completions);
    const wrong = create({ ...asked("hi"), temperature: 3 });
    await expect(wrong).rejects.toBeInstanceOf(OpenAI.BadRequestError);
    await expect(wrong).rejects.toMatchObject({ param: "temperature", status: 400 });
    const other = create({ ...asked("hi"), model: "gpt-9" });
    await expect(other).rejects.toBeInstanceOf(OpenAI.NotFoundError);
    await expect(other).rejects.toMatchObject({ code: "model_not_found" });
  });

  it("frees the slot of a stream that is broken off, and of a request that takes too long", async () => {
    const idle = () => vi.waitFor(async () => expect(await server.running()).toBe(0), 20_000);
    const stream = await client.chat.completions.create({
      ...asked("repeat 1900 a"),
      stream: true,
    });
    for await (const chunk of stream) {
      expect(chunk.model).toBe(model);
      break;
    }
    await idle();
    const late = client.chat.completions.create(asked("repeat 1900 a"), { timeout: 500 });
    await expect(late).rejects.toBeInstanceOf(OpenAI.APIConnectionTimeoutError);
    await idle();
  });
});

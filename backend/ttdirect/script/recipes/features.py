"""The recipes that give a server more to answer, and change how it answers."""

from __future__ import annotations

from ttdirect.script.recipes.model import Argument, Block, Message, Recipe, Sign, Variant

_ENGINE_AND_PROTECT = (
    "which turns the mistakes of clients into answers; put it below the line that makes the app."
)

STREAMING = Recipe(
    id="streaming",
    title="Stream the answer",
    summary="Adds POST /chat/stream, which sends the answer piece by piece.",
    note="Try it with: curl -N .../chat/stream -H 'Content-Type: application/json' "
    """-d '{"prompt": "Hello"}'""",
    signs=(
        Sign("call", "ttdirect.server.add_streaming", "server.add_streaming is called"),
        Sign("prefix", "text/event-stream", "text/event-stream is answered"),
        Sign("string", "/chat/stream", "there is a route /chat/stream"),
    ),
    variants=(
        Variant(
            frozenset({"engine", "protect"}),
            (
                Block(
                    "routes",
                    """\
# POST /chat/stream: the answer piece by piece, as server-sent events.
$server.add_streaming($app, $engine)""",
                    "Adds the route /chat/stream.",
                ),
            ),
        ),
    ),
    cannot="Streaming needs the Engine, whose answers come piece by piece, and "
    f"`server.protect(app)`, {_ENGINE_AND_PROTECT}",
)

OPENAI = Recipe(
    id="openai",
    title="Answer OpenAI clients",
    summary="Adds /v1/models, /v1/chat/completions and /v1/completions.",
    note="Give your client the base URL http://127.0.0.1:8080/v1, with the server's port.",
    signs=(
        Sign("call", "ttdirect.server.add_openai", "server.add_openai is called"),
        Sign("prefix", "/v1/", "there is a route under /v1"),
    ),
    variants=(
        Variant(
            frozenset({"engine", "protect"}),
            (
                Block(
                    "routes",
                    """\
# /v1/chat/completions and the like, for any OpenAI client.
$server.add_openai($app, $engine)""",
                    "Adds the routes under /v1.",
                ),
            ),
        ),
    ),
    cannot="The OpenAI routes need the Engine, which takes chat messages, and "
    f"`server.protect(app)`, {_ENGINE_AND_PROTECT}",
)

METRICS = Recipe(
    id="metrics",
    title="Measure for Prometheus",
    summary="Adds GET /metrics.",
    note="Point Prometheus to /metrics.",
    signs=(
        Sign("call", "ttdirect.server.add_operations", "server.add_operations is called"),
        Sign("string", "/metrics", "there is a route /metrics"),
        Sign("module", "prometheus_client", "prometheus_client is imported"),
        Sign("module", "prometheus_flask_exporter", "prometheus_flask_exporter is imported"),
    ),
    variants=(
        Variant(
            frozenset({"engine", "protect"}),
            (
                Block(
                    "routes",
                    """\
# /metrics for Prometheus, /livez for probes, /openapi.json, and a page to try at /.
$server.add_operations($app, $engine)""",
                    "Adds the routes /metrics, /livez, /openapi.json and /.",
                ),
            ),
        ),
        Variant(
            frozenset({"app"}),
            (
                Block(
                    "hooks",
                    """\
# Metrics: GET /metrics tells Prometheus how many requests were answered, and how fast.
metrics_registry = $prometheus_client.CollectorRegistry()
request_seconds = $prometheus_client.Histogram(
    "http_request_seconds",
    "Seconds from a request to its answer, by route and status.",
    ["route", "status"],
    registry=metrics_registry,
)


@$app.before_request
def start_clock():
    \"\"\"Note when the request came.\"\"\"
    $request.environ["metrics.start"] = $time.monotonic()


@$app.after_request
def count_request(response):
    \"\"\"Count the answer by its route: a client could invent any number of paths.\"\"\"
    now = $time.monotonic()
    seconds = now - $request.environ.get("metrics.start", now)
    route = $request.url_rule.rule if $request.url_rule else "no such route"
    request_seconds.labels(route, response.status_code).observe(seconds)
    return response


@$app.route("/metrics")
def show_metrics():
    \"\"\"What Prometheus reads.\"\"\"
    text = $prometheus_client.generate_latest(metrics_registry)
    return text, 200, {"Content-Type": $prometheus_client.CONTENT_TYPE_LATEST}""",
                    "Measures each request and adds the route /metrics.",
                ),
            ),
            pip="prometheus-client",
        ),
    ),
)

TIMEOUT = Recipe(
    id="timeout",
    title="Give requests a time limit",
    summary="Answers 504 to a request that takes longer than 60 seconds, its wait included.",
    note="The slot of such a request is free again at once. Change the number to what suits you.",
    signs=(
        Sign("argument", "timeout_seconds", "timeout_seconds is set"),
        Sign("number", 504, "504 is answered"),
    ),
    variants=(
        Variant(
            frozenset({"engine", "protect"}),
            (
                Argument(
                    "timeout_seconds=60",
                    "Ends requests that take longer than so many seconds.",
                ),
            ),
        ),
    ),
    cannot="A time limit needs the Engine, which can end one answer without touching the others, "
    f"and `server.protect(app)`, {_ENGINE_AND_PROTECT}",
)

SYSTEM_PROMPT = Recipe(
    id="system-prompt",
    title="Tell the model how to behave",
    summary="Puts a system prompt before every question.",
    note="Write your own words into it. Clients of /v1 send a system message themselves.",
    signs=(
        Sign("argument", "system", "a system prompt is set"),
        Sign("string", "system", "a system message is made"),
    ),
    variants=(
        Variant(
            frozenset({"engine"}),
            (
                Block(
                    "engine",
                    """\
# The system prompt tells the model how to behave, unless a request brings its own.
SYSTEM_PROMPT = "You are a helpful assistant. Answer in short and simple sentences."
$engine.ask = $functools.partial($engine.ask, system=SYSTEM_PROMPT)""",
                    "Puts the system prompt before every question to the engine.",
                ),
            ),
        ),
        Variant(
            frozenset({"messages"}),
            (
                Message(
                    '{"role": "system", "content": "You are a helpful assistant."}',
                    "Puts a system message before the user's.",
                ),
            ),
        ),
    ),
    cannot="A system prompt goes into the engine or into the chat template's list of messages, "
    "and this script shows neither for certain.",
)

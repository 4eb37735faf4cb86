"""Every default limit, in one place: what is bounded, and by how much.

Each is a default. Where a limit has a parameter, its name stands beside it. One that is not
`Final` is changed for the whole process, and read whenever it is needed:
`toolstone.limits.BODY_BYTES = 64 * toolstone.limits.MIB`.
Sizes are bytes, times are seconds, unless the comment says otherwise.
"""

from typing import Final

KIB: Final = 1024
MIB: Final = 1024 * KIB

# One run (`Budget`, `Agent`).
RUN_REQUESTS: Final = 32  # requests to the model; Budget(requests=)
IDENTICAL_TURNS = 3  # the same calls so many turns in a row: warned, then stopped
OUTPUT_REASKS: Final = 2  # an answer that does not validate is asked for again; Agent(reasks=)
EMPTY_REASKS: Final = 1  # an empty answer is asked for again
UNNAMED_SESSIONS: Final = 1_000  # unfinished runs without a session name kept in memory
KEPT_EXCHANGE_BYTES: Final = 32 * MIB  # exact requests and responses kept on a result

# What is sent of a long conversation (`Agent(view=)`).
TRIMMED_CHARACTERS: Final = 2_000  # of an old result; TrimResults(characters=)
SUMMED_CHARACTERS: Final = 4_000  # of one text that is to be summed up; its middle is left out
OPAQUE_BYTES: Final = 4 * KIB  # what an image, file or encrypted blob counts for

OUTPUT_CHARACTERS: Final = 8 * MIB  # of an answer that is read into an output type
SIGNAL_SECONDS: Final = 0.25  # between looks of a blocking door for a signal it was not woken by
EXIT_SECONDS: Final = 1.0  # for connections of the blocking doors to close when the process ends

# One turn (`Agent(concurrency=)`).
CALLS_PER_TURN = 128  # further calls are answered "limit"; how many at once: concurrency=
SYNC_THREADS = 64  # threads for blocking tools, in the process
STREAM_BACKLOG: Final = 64  # batches of events a slow reader may fall behind

# One tool call (`@tool(...)`).
TOOL_SECONDS: Final = 60.0  # timeout=
TOOL_RETRY_WAIT: Final = 0.2  # first pause between attempts of a tool, doubled each time
TOOL_RETRY_WAIT_MAX: Final = 10.0
TOOL_RESULT_BYTES = 256 * KIB  # shown to the model; cut with a marker
ARGUMENTS_BYTES = MIB
JSON_DEPTH = 128
INTEGER_DIGITS = 400  # not below 300: the quick reader looks no closer
LOOP_BUSY_SECONDS: Final = 0.25  # an async tool may keep the loop from all else; Watchdog(seconds=)
CANCEL_GRACE: Final = 1.0  # how long a cancelled tool may take to stop
LOG_REPEATS = 30  # the same message in the log, in LOG_SECONDS; then they are only counted
LOG_SECONDS = 60.0
LOG_KINDS: Final = 1_000  # different messages that are counted

# One tool definition.
CALL_ID_CHARACTERS: Final = 64  # an id the wire can carry (responses-api.md §4.1)
TOOL_NAME: Final = r"[A-Za-z0-9_-]{1,64}"
DESCRIPTION_BYTES = 4 * KIB
GRAMMAR_CHARACTERS: Final = 64 * KIB  # of a custom tool
SCHEMA_BYTES = 256 * KIB
SCHEMA_DEPTH = 32
SCHEMA_NODES = 2_000
PATTERN_CHARACTERS = 1_000
PATTERN_STATES = 5_000  # of a foreign pattern once {n,m} is laid out; twice that in a schema
SCHEMA_STEPS = 20_000  # of checking one value against a foreign schema; a long one has more

# One content part (responses-api.md §14).
TEXT_CHARACTERS: Final = 10_485_760
IMAGE_URL_CHARACTERS: Final = 20_971_520  # a data URL of an image, or any other
FILE_DATA_CHARACTERS: Final = 73_400_320  # base64 of a file; some servers take less than half

# The strict subset (responses-api.md §8.1, latest documentation).
STRICT_PROPERTIES: Final = 5_000
STRICT_DEPTH: Final = 10
STRICT_CHARACTERS: Final = 120_000
STRICT_ENUM_VALUES: Final = 1_000
STRICT_LONG_ENUM: Final = 250
STRICT_LONG_ENUM_CHARACTERS: Final = 15_000

# One HTTP exchange (`Deadlines`, `Retry`).
CONNECT_SECONDS: Final = 5.0
IDLE_SECONDS: Final = 300.0  # between semantic events of a stream; reasoning models are silent long
TOTAL_SECONDS: Final = 600.0  # one attempt, reading time only
CREDENTIALS_SECONDS: Final = 60.0  # for a function of yours, or AWS's chain, to say who asks
DRAIN_SECONDS: Final = 0.1  # after the terminal event of a stream, for its end to arrive too
BACKGROUND_SECONDS: Final = 86_400.0  # for a background response to end; Deadlines(background=)
BACKGROUND_WAIT: Final = 0.5  # before it is looked at again, doubled each time
BACKGROUND_WAIT_MAX: Final = 10.0
FOREIGN_KEPT: Final = 10_000  # marks of reasoning that an endpoint has refused
BACKGROUND_CANCEL_SECONDS: Final = 5.0  # for the service to take notice that a run was stopped
ATTEMPTS: Final = 3  # of one request, the first included
RETRY_WAIT: Final = 0.5  # first pause, doubled each time, full jitter
RETRY_WAIT_MAX: Final = 8.0
RETRY_AFTER_MAX: Final = 60.0  # a server that asks for more is an error
RETRY_QUOTA = 500  # tokens shared by the requests of a client (AWS standard retry rules)
RETRY_COST: Final = 14  # a retry takes so many
BODY_BYTES = 32 * MIB
ERROR_BODY_BYTES: Final = 64 * KIB
DECOMPRESSION_RATIO = 100
DECOMPRESSED_BYTES = 64 * MIB
EVENT_BYTES = 8 * MIB  # one line or event of a stream
EVENTS_PER_RESPONSE = 1_000_000
CONNECTIONS: Final = 100  # open at once to one origin, for each event loop

# Stored things.
SESSION_NAME: Final = r"[A-Za-z0-9_-]{1,64}"
BUSY_SECONDS: Final = 10.0  # how long a ledger waits for another process's write
MAX_OUTPUT_TOKENS_MIN: Final = 16  # the least the service accepts (responses-api.md §2)

# Amazon Bedrock (`toolstone.bedrock`).
BEDROCK_KEY_SECONDS: Final = 3_600  # a minted key lives so long; MintedKey(seconds=)
BEDROCK_KEY_SECONDS_MOST: Final = 43_200  # and no longer (bedrock.md §4.3)
BEDROCK_KEY_SHARE: Final = 0.8  # of its life, then it is renewed
BEDROCK_KEY_MARGIN: Final = 300.0  # renewed so long before the credentials behind it end
BEDROCK_METADATA_SECONDS: Final = 2.0  # for a container's or an instance's endpoint, then the next
BEDROCK_SKEW_SECONDS: Final = 60.0  # a clock that is off by more is corrected after a refusal
BEDROCK_MENDS: Final = 4  # corrections of one request: prefix, id, parameters, items
DOCTOR_CONNECT_SECONDS: Final = 5.0  # for `toolstone doctor` to reach a host
DOCTOR_IDLE_SECONDS: Final = 20.0  # of silence, then a host is said to hang
DOCTOR_KEY_SECONDS: Final = 300.0  # a key that ends sooner is as good as expired
DOCTOR_SKEW_SECONDS: Final = 240.0  # a clock off by more has its signatures refused (§12.2)

# Many documents (`toolstone.extract`).
DOCUMENT_BYTES = 64 * MIB  # of one file that is read; of one cell of a table
EXTRACT_CONCURRENCY: Final = 100  # documents at once; concurrency=
EXTRACT_PIECE_TOKENS: Final = 6_000  # of a text that is cut, estimated; Split(tokens=)
EXTRACT_OVERLAP_TOKENS: Final = 200  # read again with the next piece; Split(overlap=)
EXTRACT_OUTPUT_TOKENS: Final = 4_096  # reserved for an answer where a budget counts tokens
EXTRACT_INLINE_CHARACTERS: Final = 20_000  # of a text whose evidence is not worth a thread
EXTRACT_PLACES: Final = 1_000  # of one value in a text, compared for which is meant
EXTRACT_UNANSWERED: Final = 10  # documents in a row, and those at once: nobody is there
EXTRACT_START: Final = 8  # requests at once in the beginning; Pace(start=)
EXTRACT_QUEUED: Final = 8  # times that one request goes back in the queue because of a 429
EXTRACT_SHIFT: Final = 1_000  # documents of one task on a cluster: a block
EXTRACT_REMEMBERED: Final = 10_000  # answers known again for identical documents, without a job

# The endpoint on this machine (`toolstone.local`).
LOCAL_RESPONSES_KEPT: Final = 256  # responses that are stored in memory
LOCAL_FILED_RESPONSES: Final = 10_000  # responses that are stored in a file
LOCAL_STORED_SECONDS: Final = 2_592_000.0  # thirty days, for what is stored
LOCAL_LEASE_SECONDS: Final = 15.0  # without a sign of life, then a background job is failed
LOCAL_WATCH_SECONDS: Final = 0.1  # between looks at what other processes did to a job
LOCAL_CONVERSATION_ITEMS: Final = 20  # added to a conversation at once
LOCAL_COMPACT_TOKENS: Final = 100_000  # of input, compacted when no threshold is given
LOCAL_PADDED_CHARACTERS: Final = 16  # deltas are padded to a multiple of so many, if asked for
LOCAL_BODY_DEPTH: Final = 500  # objects and lists inside one another in a request
LOCAL_WHOLE_ITEMS: Final = 6  # the newest of a conversation, which compaction leaves as they are
LOCAL_CLIP_CHARACTERS: Final = 400  # of one text that has been compacted
LOCAL_TURNS_KEPT: Final = 1_000  # turns a script remembers having been asked
LOCAL_CONTEXT_TOKENS: Final = 8_192  # what the small model was trained to read
LOCAL_ANSWER_TOKENS: Final = 512  # written when max_output_tokens is not given
LOCAL_PROSE_TOKENS: Final = 128  # then an answer without a cap ends with its sentence
LOCAL_SCORES_KEPT: Final = 4_096  # likelihoods remembered
LOCAL_ROUNDS: Final = 8  # times the small model says the same before it is taken to be stuck
LOCAL_ROUND_CHARACTERS: Final = 200  # of what it says over and over, at most
LOCAL_STRING_CHARACTERS: Final = 80  # of a string the small model makes up
LOCAL_ARRAY_ITEMS: Final = 16  # of an array without maxItems
LOCAL_WEIGHED_TOOLS: Final = 12  # the rest are left out by their words alone
LOCAL_WEIGHED_WORDS: Final = 60  # of a request, its last ones
LOCAL_CLAUSES: Final = 8  # of a request that asks for several things
LOCAL_SPAN_WORDS: Final = 600  # of a text that values are taken from
LOCAL_STOP_SECONDS: Final = 5.0  # for a child to stop before it is killed
LOCAL_GRACE_SECONDS: Final = 2  # for running responses when the endpoint is told to stop
LOCAL_SOCKET_SECONDS: Final = 3_600.0  # a WebSocket may stay open, as the real service has it
LOCAL_SOCKET_WAITING: Final = 8  # messages read ahead on a WebSocket
LOCAL_DEPTH: Final = 12  # of a recursive schema the small model fills

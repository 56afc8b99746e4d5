"""The chat and completions APIs' own words: member names and enum values that nobody wrote, so no text leaves.

The lists follow OpenAI's description of the API (tests/wire/test_openai_chat_words.py compares them). A word that is
missing here costs a scan; it never costs safety. Model names, ids and voices are not enum values here.
"""

from __future__ import annotations

_KEYS = """
    accepted_prediction_tokens allowed_tools annotations approximate arguments audio audio_tokens best_of bytes
    cache_write_tokens cached_tokens categories category_applied_input_types category_scores choices city code
    completion_tokens completion_tokens_details content country created custom data definition delta description detail
    echo end_index expires_at file file_data file_id filename finish_reason flagged format frequency_penalty function
    function_call functions grammar id image_tokens image_url include_obfuscation include_usage index input input_audio
    json_schema logit_bias logprob logprobs max_completion_tokens max_tokens message messages metadata modalities mode
    model moderation n name obfuscation object output parallel_tool_calls parameters policy prediction presence_penalty
    prompt prompt_cache_breakpoint prompt_cache_key prompt_cache_options prompt_cache_retention prompt_tokens
    prompt_tokens_details reasoning reasoning_content reasoning_effort reasoning_tokens refusal region
    rejected_prediction_tokens response_format results role safety_identifier schema search_context_size seed
    service_tier start_index stop store stream stream_options strict suffix syntax system_fingerprint temperature text
    text_offset text_tokens timezone title token token_logprobs tokens tool_call_id tool_calls tool_choice tools
    top_logprobs top_p total_tokens transcript ttl type url url_citation usage user user_location verbosity voice
    web_search_options
"""

_VALUES = """
    24h 30m aac allowed_tools approximate assistant audio auto block chat.completion chat.completion.chunk content
    content_filter custom default developer error explicit fast file flac flex function function_call grammar high image
    image_url implicit in_memory input_audio json_object json_schema lark length low max medium minimal
    moderation_result moderation_results mp3 none opus pcm16 priority refusal regex required scale score stop system
    text text_completion tool tool_calls url_citation user wav xhigh
"""

KEYS = frozenset(_KEYS.split())
VALUES = frozenset(_VALUES.split())

# Members whose base64 is a picture, a sound or a file: opaque where the media setting allows it.
PAYLOADS = frozenset({"data", "file_data"})
MEDIA_PARTS = {
    "image_url": "image",
    "input_image": "image",
    "image": "image",
    "input_audio": "audio",
    "audio_url": "audio",
    "audio": "audio",
    "video_url": "video",
    "input_video": "video",
    "video": "video",
    "file": "file",
    "input_file": "file",
    "document": "file",
}
# Names of ids of what the provider holds, wherever in a request they stand.
REFERENCES = frozenset(
    {"file_id", "file_ids", "vector_store_id", "vector_store_ids", "previous_response_id", "conversation", "prompt_id",
     "conversation_id", "container_id"}
)  # fmt: skip

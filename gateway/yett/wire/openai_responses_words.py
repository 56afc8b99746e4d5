"""The Responses API's own words: member names and enum values that nobody wrote, so that they are no text leaves.

The lists follow OpenAI's description of the API (tests/wire/test_openai_responses_words.py compares them).
A word that is missing here costs a scan; it never costs safety.
"""

from __future__ import annotations

_KEYS = """
    acknowledged_safety_checks action actions allowed_callers allowed_domains allowed_tools always annotation
    annotation_index annotations approval_request_id approve arguments attributes audio_url authorization
    background button bytes cache_write_tokens cached_tokens call_id caller caller_id categories
    category_applied_input_types category_scores city code command command_index commands compact_threshold
    completed_at connector_id container container_id content content_index context context_management
    conversation country created_at created_by data defer_loading definition delta description detail diff
    display_height display_width domain domain_secrets effort embedding_weight encrypted_content end_index env
    environment error execution exit_code external_web_access file_data file_id file_ids file_url filename
    filters fingerprint flagged format generate_summary headers hybrid_search id image_url include
    include_obfuscation incomplete_details index input input_audio input_fidelity input_image_mask input_schema
    input_tokens input_tokens_details instructions item item_id key keys logprob logprobs logs max_num_results
    max_output_length max_output_tokens max_tool_calls media_type memory_limit message metadata mode model
    moderation name namespace network_policy never obfuscation object operation outcome output
    output_compression output_format output_index output_schema output_text output_tokens output_tokens_details
    outputs parallel_tool_calls param parameters part partial_image_b64 partial_image_index partial_images path
    pattern pending_safety_checks phase policy previous_response_id prompt prompt_cache_breakpoint
    prompt_cache_key prompt_cache_options prompt_cache_retention quality queries query ranker ranking_options
    read_only reason reasoning reasoning_tokens refusal region require_approval response result results role
    safety_identifier schema score score_threshold scroll_x scroll_y search_content_types search_context_size
    sequence_number server_description server_label server_url service_tier size skill_id skills source sources
    start_index status stderr stdout store stream stream_options strict summary summary_index syntax temperature
    text text_weight timeout_ms timezone title token tool_choice tool_names tools top_logprobs top_p
    total_tokens transcript truncation ttl tunnel_id type url usage user user_location value variables
    vector_store_ids verbosity version video_url working_directory x y
"""

_VALUES = """
    additional_tools all_turns allowed_tools allowlist always and apply_patch apply_patch_call
    apply_patch_call_output approximate assistant auto back base64 bio_policy block browser calling cancelled
    click client code_interpreter code_interpreter_call code_interpreter_call.outputs commentary compaction
    compaction_trigger completed computer computer_call computer_call_output
    computer_call_output.output.image_url computer_screenshot computer_use computer_use_preview concise
    connector_dropbox connector_gmail connector_googlecalendar connector_googledrive connector_microsoftteams
    connector_outlookcalendar connector_outlookemail connector_sharepoint container_auto container_file_citation
    container_reference content_filter create_file critic current_turn custom custom_tool_call
    custom_tool_call_output data_residency_mismatch default delete_file detailed developer direct disabled
    discriminator double_click drag edit empty_image_file eq error exec exit explicit failed
    failed_to_download_image fast file_citation file_path file_search file_search_call file_search_call.results
    final_answer find_in_page flex forward function function_call function_call_output generate generating
    grammar gt gte high http_error image image_content_policy_violation image_file_not_found
    image_file_too_large image_generation image_generation_call image_parse_error image_too_large
    image_too_small implicit in in_memory in_progress incomplete inline input_audio input_file input_image
    input_text input_video interpreting invalid_base64_image invalid_image invalid_image_format
    invalid_image_mode invalid_image_url invalid_prompt item_reference jpeg json_object json_schema keypress
    lark left linux local local_shell local_shell_call local_shell_call_output logs low lt lte mac max
    max_output_tokens mcp mcp_approval_request mcp_approval_response mcp_call mcp_list_tools mcp_protocol_error
    mcp_tool_execution_error medium message message.input_image.image_url message.output_text.logprobs minimal
    moderation_result move namespace ne never nin none opaque open_page or original output_audio output_text png
    priority pro program program_output programmatic programmatic_tool_calling queued rate_limit_exceeded
    reasoning reasoning.encrypted_content reasoning_text refusal regex required response right scale score
    screenshot scroll search searching server server_error shell shell_call shell_call_output skill_reference
    standard summary_text system text timeout tool tool_search tool_search_call tool_search_output transparent
    type ubuntu ultrafast unknown unsupported_image_media_type update_file url url_citation user
    vector_store_timeout wait web_search web_search_2025_08_26 web_search_call web_search_call.action.sources
    web_search_call.results web_search_preview web_search_preview_2025_03_11 webp wheel windows xhigh
"""

KEYS = frozenset(_KEYS.split())
VALUES = frozenset(_VALUES.split())

import { type Metrics, readMetrics } from "../../extension/src/server/metrics";

/** What a server printed after one answer; ranges and reasons that say nothing more are left out. */
export const metricsText = `ttdirect:build_info{python_version="3.11.7",version="0.1.0"} 1.0
# HELP ttdirect:state 1 for the state the server is in, 0 for the others.
ttdirect:state{state="loading"} 0.0
ttdirect:state{state="ready"} 1.0
ttdirect:state{state="draining"} 0.0
ttdirect:num_requests_running{model_name="ttdirect-demo"} 0.0
ttdirect:num_requests_waiting{model_name="ttdirect-demo"} 0.0
ttdirect:kv_cache_usage_perc{model_name="ttdirect-demo"} 0.0
ttdirect:step_seconds{model_name="ttdirect-demo"} 0.0
ttdirect:cache_config_info{block_size="32",enable_prefix_caching="True",max_model_len="2048",max_num_seqs="32",model_name="ttdirect-demo",num_gpu_blocks="1025"} 1.0
ttdirect:prefix_cache_queries_total{model_name="ttdirect-demo"} 9.0
ttdirect:prefix_cache_hits_total{model_name="ttdirect-demo"} 0.0
ttdirect:prompt_tokens_total{model_name="ttdirect-demo"} 9.0
ttdirect:generation_tokens_total{model_name="ttdirect-demo"} 63.0
ttdirect:failed_steps_total{model_name="ttdirect-demo"} 0.0
ttdirect:request_success_total{finished_reason="stop",model_name="ttdirect-demo"} 1.0
ttdirect:request_success_total{finished_reason="length",model_name="ttdirect-demo"} 0.0
ttdirect:request_success_total{finished_reason="cancelled",model_name="ttdirect-demo"} 0.0
ttdirect:admission_rejections_total{model_name="ttdirect-demo",reason="queue_full"} 0.0
ttdirect:admission_rejections_total{model_name="ttdirect-demo",reason="prompt_too_long"} 0.0
# HELP ttdirect:time_to_first_token_seconds Time to first token in seconds.
ttdirect:time_to_first_token_seconds_bucket{le="0.001",model_name="ttdirect-demo"} 0.0
ttdirect:time_to_first_token_seconds_bucket{le="0.005",model_name="ttdirect-demo"} 0.0
ttdirect:time_to_first_token_seconds_bucket{le="0.01",model_name="ttdirect-demo"} 1.0
ttdirect:time_to_first_token_seconds_bucket{le="0.02",model_name="ttdirect-demo"} 1.0
ttdirect:time_to_first_token_seconds_bucket{le="+Inf",model_name="ttdirect-demo"} 1.0
ttdirect:time_to_first_token_seconds_count{model_name="ttdirect-demo"} 1.0
ttdirect:time_to_first_token_seconds_sum{model_name="ttdirect-demo"} 0.008200713993574027
ttdirect:inter_token_latency_seconds_bucket{le="0.01",model_name="ttdirect-demo"} 40.0
ttdirect:inter_token_latency_seconds_bucket{le="0.025",model_name="ttdirect-demo"} 62.0
ttdirect:inter_token_latency_seconds_bucket{le="+Inf",model_name="ttdirect-demo"} 62.0
ttdirect:inter_token_latency_seconds_count{model_name="ttdirect-demo"} 62.0
ttdirect:inter_token_latency_seconds_sum{model_name="ttdirect-demo"} 0.6092462520027766
process_resident_memory_bytes 2.84909568e+08
process_start_time_seconds 1.79540465005e+09
`;

/** The figures of that text, with what a test wants to be different. */
export function metrics(different: Partial<Metrics> = {}): Metrics {
  return { ...readMetrics(metricsText), ...different };
}

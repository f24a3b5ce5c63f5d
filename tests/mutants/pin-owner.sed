# Pins of one pointer are taken for those of one thread.
s/return (u32)mix(bpf_get_current_pid_tgid() ^ mix(task->start_time)) | 1;/return task->start_time != 1;/

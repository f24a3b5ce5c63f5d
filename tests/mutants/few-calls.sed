# Room for four threads inside a function of the families monitor and thread.
s/#define MAX_THREAD_CALLS (1 << 13)/#define MAX_THREAD_CALLS 4/

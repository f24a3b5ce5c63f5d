# A memo that never compares the thread's anchor.
s/return m->uses & (1U << USES_ANCHOR | 1U << USES_ANCHOR_FP);/return !m;/

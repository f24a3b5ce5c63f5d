# A program without the tail call that keeps it from a private stack.
s/if (never) /if (0) /

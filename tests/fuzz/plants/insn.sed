# A displacement behind the bytes that there are.
s/if (disp > n - at)/if (disp > n)/

# More comparisons than there is room for.
s/if (out->n == ASSERT_MAX_TERMS)/if (out->n > ASSERT_MAX_TERMS)/

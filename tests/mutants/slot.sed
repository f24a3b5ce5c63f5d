# A memo that leaves out one of the words.
s/if (memo_word(sc, where) != e->value\[i\])/if (i != 10 \&\& memo_word(sc, where) != e->value[i])/

# A memo that leaves out one of the words.
s/differ |= (/if (group + j != 10) differ |= (/

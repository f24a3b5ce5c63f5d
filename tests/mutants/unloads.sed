# A memo that does not see classes being unloaded.
s/|| a->unloads == b->unloads)/|| 1)/

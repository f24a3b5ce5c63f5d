# A memo that does not see code being freed.
s/ && a->generation == b->generation//

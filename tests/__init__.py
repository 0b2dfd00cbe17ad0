from probe.threads import give_way

give_way()  # before anything here loads torch

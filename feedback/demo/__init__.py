"""The demo world: a fixed random seed, replayed day by day through the code that serves real data.

``world`` says who there is, ``people`` makes consumers, ``life`` decides what becomes of each lead (all three
pure); ``parties`` makes the accounts, ``replay`` lets the days pass, ``card`` notes who may log in.
"""

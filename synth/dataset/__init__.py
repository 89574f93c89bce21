"""A training set from photographs and cameras, on one core or many machines, with the same bytes.

In reading order:

- ``settings``   what decides a set's content, as its manifest records it
- ``crops``      which part of a photograph a sample shows: scale, place by sharpness, turns
- ``camera``     photographing a scene, or a crop of it at a place of the sensor
- ``photograph_survey``  a first look at the photographs: which can be used, and on which side of the split
- ``shard``      one sample, and one shard: a pure function of a JSON-able spec
- ``shard_scheduler``  the missing shards of a folder handed out, one pass after another

``metalens.synth.generate`` puts them together.
"""

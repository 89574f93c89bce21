"""A training set from photographs and cameras, on one core or many machines, with the same bytes.

In reading order:

- ``settings``   what decides a set's content, as its manifest records it
- ``crops``      which part of a photograph a sample shows: scale, place by sharpness, turns
- ``camera``     photographing a scene, or a crop of it at a place of the sensor
- ``photograph_survey``  inspection of the photographs: usable or not, training or validation
- ``shard``      one sample and one shard, each a pure function of a JSON spec
- ``shard_scheduler``  distributes the missing shards to workers and replaces lost photographs

``metalens.synth.generate`` puts them together.
"""

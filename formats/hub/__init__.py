"""Pairs, adapters, psf.h5 and photographs on the model hub (Hugging Face's protocol), through ``huggingface_hub``.

In reading order:

- ``address``  ``hf:user/name[@revision]``
- ``listing``  the files of one revision, with sizes and checksums; what the hub answers, as errors of one sentence
- ``content``  which files belong to pairs, to an adapter, to a psf.h5 and to photographs; everything else is refused
- ``pulling``  a revision as a folder: resumed, each file checked
- ``kept``     revisions in the user's cache folder, where commands take an address in the place of a folder
- ``pushing``  a folder as a revision
- ``licences``  licence and credit of photographs in a dataset

The environment variable ``HF_ENDPOINT`` names another hub.
"""

from writers.nanoscope import example_single_curve
def test_a(samples, real_files): 
    print(samples.curves().segments); print(samples.volume())
